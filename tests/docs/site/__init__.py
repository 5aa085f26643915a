"""What the site has beside its pages: pages of real runs, pictures, and links that are checked."""
