-- One row per scheduled departure, as it stands in the timetable at the beginning of its hour (time_hour, UTC).
--
-- landed_at says when the delay on arrival is known. The data has no such instant: arr_time is the destination's wall
-- clock. So it is put together from the departure, its delay, the time in the air, and an hour for taxiing and for the
-- report to come in (between gates, 95% of these flights spend less than 58 minutes outside the air). Cancelled and
-- diverted flights have no arrival delay: their label never comes.
SELECT
    format('{}{}-{}-{:04d}{:02d}{:02d}-{:04d}', carrier, flight, origin, year, month, day, sched_dep_time) AS flight_id,
    time_hour,
    carrier,
    origin,
    dest,
    tailnum,
    distance,
    hour,                                                    -- scheduled, New York's wall clock
    isodow(make_date(year, month, day)) AS weekday,          -- 1 is Monday
    air_time,
    arr_delay,
    arr_delay > 15 AS late,
    time_hour + to_minutes(minute + dep_delay + air_time + 60) AS landed_at
FROM flights
