"""One function per user intention, and what they share: which pictures, what is written, how it is drawn."""
