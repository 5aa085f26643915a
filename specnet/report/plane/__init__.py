"""How a network of two inputs decides, over the plane of its inputs."""
