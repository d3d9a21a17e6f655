"""placeholder masks"""
