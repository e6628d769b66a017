"""How the gateway is asked: one file per protocol, each turning a body into a call and an answer into a body.

`routes.ROUTES` is the table of all paths. Whatever the protocol, a call goes through the same pipeline.
"""
