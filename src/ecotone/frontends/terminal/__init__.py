"""What the command line draws, by rich: each module makes renderables from values. Imported only when it is shown."""
