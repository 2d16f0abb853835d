"""The plugin for napari: the dock widgets Denoise and Noise. Only napari imports it."""
