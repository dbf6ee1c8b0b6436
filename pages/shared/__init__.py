"""What the pages share: the latent map, its colours and other drawing."""
