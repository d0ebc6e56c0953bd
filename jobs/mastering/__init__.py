"""What a disc is: formats, media, masters and the lifecycle that burns them."""
