"""What the tests of these formats share."""

from torchdenoise.data import open_planes, write_planes


def copy(path, target, letters=None, dtype=None, order=1):
    """Write the planes of a file as another one, and return them."""
    with open_planes(path, letters) as planes:
        numbers = list(range(len(planes)))[::order]
        given = ((number, planes.plane(number).astype(dtype or planes.dtype)) for number in numbers)
        write_planes(target, given, planes, dtype)
        return planes
