"""The Redis room: it orders work and carries news; losing all of it delays work and loses nothing."""
