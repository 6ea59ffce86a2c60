"""The diffusion prior: from a coarse view of a head to the true one, colour and normals jointly.

Numbers in front of mechanisms are those of the two papers' checklist: G for GeoDiff4D, F for FaceCraft4D.
"""
