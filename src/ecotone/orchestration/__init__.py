"""What should run where: performance models, placement and control. Decides; never talks to a node itself."""
