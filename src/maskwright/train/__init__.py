"""placeholder train"""
