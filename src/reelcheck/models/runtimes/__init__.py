"""What runs a model: one module per runtime, each imported only when a card asks for it."""
