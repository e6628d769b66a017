-- Hourly weather at the three airports, as observed; wind over 120 mph is a broken sensor (there is one of 1,048).
SELECT
    origin,
    time_hour,
    temp,
    dewp,
    humid,
    wind_dir,
    if(wind_speed > 120, NULL, wind_speed) AS wind_speed,
    wind_gust,
    precip,
    pressure,
    visib
FROM weather
