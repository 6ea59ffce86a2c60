"""The portrait in a photo: the face found and judged, cropped, matted."""
