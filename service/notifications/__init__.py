"""Turns facts into messages for the people they concern. It may know every fact, and nobody knows it.

A message stores the fact's name and its numbers; the sentence is said when it is read, in the reader's language. Telling
the same fact twice leaves one message: the fact's own content is the key.
"""
