"""placeholder models"""
