"""Robot tabletops for the simulator: pieces and things, others' meshes and arms, the plan of a scene, its rendering.

`plan` draws a scene from a seed (its values are in `layout`), `render` makes labelled pictures of it;
`maskwright.train.robot_scenes` is the door. Nothing here imports torch; only `arms` and `render` need the simulator.
"""
