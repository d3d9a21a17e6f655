"""placeholder nn"""
