"""How a network of two inputs decides, in pictures of the plane of its inputs.

In comes a `surfaces.Plane`, a network with its rows; out come small charts with sentences: start with
`plane_story.PlaneStory`. `plane_answers` says what an answer looks like and is called for classes and for numbers.
"""
