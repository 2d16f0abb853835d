"""Parts that several methods share: losses, downsamplers, readouts, domains, schedules and an optimizer."""
