"""On the robot and in the policy: real-time perception, inputs of policies, checks of simulators, depth."""
