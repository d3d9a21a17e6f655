"""placeholder workflows"""
