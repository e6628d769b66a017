def daily(departures):
    return departures


def fine(frame):
    return True
