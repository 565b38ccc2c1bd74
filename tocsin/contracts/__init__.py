"""What the rooms of the house agree on: events, topics, the codec, and the settings that a team writes down."""
