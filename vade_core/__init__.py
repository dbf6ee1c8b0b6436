"""VaDE and its relatives: data, models, training, metrics and maps, usable without the app."""
