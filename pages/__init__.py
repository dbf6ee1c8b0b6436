"""The pages of the VaDE Explorer, one thin file each."""
