"""From clean history to a trained model: what is learned, the recipe, the search for a better one."""
