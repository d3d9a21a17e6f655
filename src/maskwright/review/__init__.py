"""Rules over the store for people who review: queues, progress, agreement. No HTTP, no torch."""
