SELECT * FROM weather
