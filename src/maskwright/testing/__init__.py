"""placeholder testing"""
