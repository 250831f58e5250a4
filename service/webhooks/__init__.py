"""Events as they leave: their names and payloads, the signature, one attempt, and when there is another.

No SQL and no Redis here: what is owed, and to whom, is the flow's business.
"""
