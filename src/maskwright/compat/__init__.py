"""placeholder compat"""
