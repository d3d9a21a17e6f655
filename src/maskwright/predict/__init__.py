"""placeholder predict"""
