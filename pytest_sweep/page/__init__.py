"""The report page: one HTML file that shows a stored run, works offline and loads nothing. Knows neither pytest nor Ray."""
