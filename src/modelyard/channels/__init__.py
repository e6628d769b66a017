"""Ways to tell people: webhook, Slack, mail. They enter by the door of plugins, and connect to checked addresses only."""
