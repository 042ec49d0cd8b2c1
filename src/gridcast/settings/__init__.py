"""Where configuration text enters: YAML files and environment variables become strict, frozen values."""
