"""placeholder cli"""
