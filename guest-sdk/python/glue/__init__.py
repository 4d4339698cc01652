"""What componentize-py is pointed at: the component's exports, which call the author's plugin."""
