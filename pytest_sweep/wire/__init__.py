"""Everything that travels between driver and worker, and how it is packed. Knows neither pytest nor Ray."""
