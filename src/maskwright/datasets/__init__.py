"""placeholder datasets"""
