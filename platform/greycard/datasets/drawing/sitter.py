"""Who sits and how: class codes, draws, skull, pose, skin and light, shared by all layers of a portrait."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from greycard.datasets.drawing.canvas import Colour, Patch, clip
from greycard.datasets.drawing.draws import Draws, Values

# L*, a*, b* (CIE, D65) of the middle of skin types 1..6, with one step beyond either end. The individual typology angle
# atan((L* - 50) / b*) of each lies inside the class that Chardon et al. (1991) give it: above 55 degrees, 41..55,
# 28..41, 10..28, -30..10, below -30.
SKIN_LAB: Final = (
    (85.0, 5.0, 12.0),
    (79.5, 8.0, 16.0),
    (72.5, 10.5, 18.5),
    (65.0, 12.0, 20.0),
    (56.5, 13.5, 21.0),
    (43.0, 14.0, 18.0),
    (30.5, 11.0, 12.5),
    (23.0, 8.0, 8.0),
)
DOME: Final = 0.42  # how flat the top of the head is; 0 is an ellipse
SKIN_SPREAD: Final = 0.30  # deviation of an identity's tone within its type, in types


class Pose(NamedTuple):
    """Where the head is and which way it looks; every field is (N, 1, 1)."""

    shift_x: Values
    shift_y: Values
    scale: Values
    cos_roll: Values
    sin_roll: Values
    cos_yaw: Values
    sin_yaw: Values
    cos_pitch: Values
    sin_pitch: Values


class Skull(NamedTuple):
    """The head's outline in head units; every field is (N, 1, 1)."""

    width: Values  # half the width at the eyes
    top: Values  # height of the crown above the centre
    chin: Values  # depth of the chin below the centre
    taper: Values  # how much the jaw narrows
    square: Values  # how angular the jaw is


class Light(NamedTuple):
    """The light: direction towards it (a unit vector, z to the viewer) and the share that comes from all around."""

    x: Values
    y: Values
    z: Values
    ambient: Values


class Surface(NamedTuple):
    """A patch's place on the head, taken as a turned ellipsoid.

    Attributes:
        side: (N, h, w) x over the half width there; 1 at the outline.
        up: (N, h, w) y over the half height; -1 at the crown, 1 at the chin.
        squared: (N, h, w) squared radius; 1 at the outline.
        front: (N, h, w) depth towards the viewer, 0 at the outline and beyond.
        u: (N, h, w) position to the right on the face as seen from its own front, in head units.
        v: (N, h, w) position down the face.
        face: (N, h, w) mask of where features show: 1 on the face, 0 at the outline and beyond.
    """

    side: Values
    up: Values
    squared: Values
    front: Values
    u: Values
    v: Values
    face: Values

    def take(self, rows: NDArray[np.int64]) -> "Surface":
        """Return some of the images."""
        return Surface(*(field[rows] for field in self))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sitter:
    """N sitters: their class codes and everything that several layers need to agree on."""

    codes: Mapping[str, NDArray[np.int64]]
    identity: Draws
    image: Draws
    pose: Pose
    skull: Skull
    light: Light
    skin: Colour
    hair: Colour

    def take(self, rows: NDArray[np.int64]) -> "Sitter":
        """Return some of the sitters."""
        return Sitter(
            codes={name: code[rows] for name, code in self.codes.items()},
            identity=self.identity.part(rows),
            image=self.image.part(rows),
            pose=Pose(*(field[rows] for field in self.pose)),
            skull=Skull(*(field[rows] for field in self.skull)),
            light=Light(*(field[rows] for field in self.light)),
            skin=self.skin[:, rows],
            hair=self.hair[:, rows],
        )

    def is_class(self, name: str, code: int) -> Values:
        """Return 1 where the class code equals ``code``, else 0: (N, 1, 1)."""
        chosen: Values = np.asarray(self.codes[name] == code).astype(np.float32)[:, None, None]
        return chosen


def draw_pose(image: Draws) -> Pose:
    """Draw the pose of each image: within about 30 degrees of yaw, 10 of pitch and 12 of roll."""
    roll = image.normal("roll", 0.0, 0.075)
    yaw = image.normal("yaw", 0.0, 0.20)
    pitch = image.normal("pitch", 0.02, 0.07)
    return Pose(
        image.normal("shift x", 0.0, 0.05),
        image.normal("shift y", 0.02, 0.045),
        image.normal("scale", 1.17, 0.06),
        np.cos(roll),
        np.sin(roll),
        np.cos(yaw),
        np.sin(yaw),
        np.cos(pitch),
        np.sin(pitch),
    )


def draw_skull(identity: Draws) -> Skull:
    """Draw each identity's head outline."""
    return Skull(
        identity.normal("skull width", 0.465, 0.024),
        identity.normal("skull top", 0.60, 0.02),
        identity.normal("skull chin", 0.625, 0.035),
        identity.normal("jaw taper", 0.07, 0.055),
        identity.uniform("jaw square", 0.0, 0.45),
    )


def draw_light(image: Draws) -> Light:
    """Draw the light of each image: mostly from above and from one side."""
    side = image.normal("light side", 0.0, 0.55)
    height = image.normal("light height", 0.45, 0.28)
    x, y = np.sin(side) * np.cos(height), -np.sin(height)
    z = np.cos(side) * np.cos(height)
    return Light(x, y, z, image.uniform("light ambient", 0.28, 0.68))


def skin_lab(tone: NDArray[Any]) -> NDArray[np.float64]:
    """Return L*, a*, b* of a skin tone, where 0..5 are the middles of types 1..6: (N,) -> (N, 3)."""
    grid = np.arange(-1.0, len(SKIN_LAB) - 1.0)
    return np.stack([np.interp(tone, grid, channel) for channel in np.array(SKIN_LAB).T], axis=-1)


def lab_to_linear(lab: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn CIE L*a*b* (D65) into linear sRGB light, clipped at 0: (N, 3) -> (N, 3)."""
    fy = (lab[:, 0] + 16.0) / 116.0
    f = np.stack([fy + lab[:, 1] / 500.0, fy, fy - lab[:, 2] / 200.0])
    cubed = np.where(f > 6.0 / 29.0, f**3, 3.0 * (6.0 / 29.0) ** 2 * (f - 4.0 / 29.0))
    X, Y, Z = cubed[0] * 0.95047, cubed[1], cubed[2] * 1.08883
    rgb = (
        3.2406 * X - 1.5372 * Y - 0.4986 * Z,
        -0.9689 * X + 1.8758 * Y + 0.0415 * Z,
        0.0557 * X - 0.2040 * Y + 1.0570 * Z,
    )
    linear: NDArray[np.float64] = np.maximum(np.stack(rgb, axis=-1), 0.0)
    return linear


def draw_skin(codes: NDArray[np.int64], identity: Draws) -> Colour:
    """Draw each identity's exact skin colour: its type's, spread so that neighbouring types overlap a little."""
    tone = codes + identity.normal("skin tone", 0.0, SKIN_SPREAD)[:, 0, 0].astype(np.float64)
    lab = skin_lab(tone)
    lab[:, 1] += identity.normal("skin red", 0.0, 1.3)[:, 0, 0]
    lab[:, 2] += identity.normal("skin yellow", 0.0, 1.6)[:, 0, 0]
    return np.ascontiguousarray(lab_to_linear(lab).T.astype(np.float32))[..., None, None]


def locate(patch: Patch, sitter: Sitter) -> Surface:
    """Find every pixel of a patch on the turned head: outline -> ellipsoid -> yaw and pitch undone -> face position."""
    pose, skull = sitter.pose, sitter.skull
    one = np.float32(1.0)
    lower = np.maximum(patch.y, np.float32(0.0))
    lower *= one / skull.chin
    upper = np.minimum(patch.y, np.float32(0.0))
    upper *= one / skull.top
    up = lower + upper
    lower *= lower
    side = one - skull.taper * lower
    np.divide(patch.x, side, out=side)
    side *= one / skull.width
    squared = side * side
    squared += dome(upper)
    squared += lower * ((one - skull.square) + skull.square * lower)
    front = one - squared
    np.maximum(front, np.float32(0.0), out=front)
    np.sqrt(front, out=front)
    u = side * pose.cos_yaw
    u -= front * pose.sin_yaw
    u *= skull.width
    depth = front * pose.cos_yaw
    depth += side * pose.sin_yaw
    depth *= pose.sin_pitch
    v = up * pose.cos_pitch
    v -= depth
    low = np.maximum(v, np.float32(0.0))
    low *= skull.chin - skull.top
    v *= skull.top
    v += low
    face = clip(front * np.float32(5.0))
    return Surface(side, up, squared, front, u, v, face)


def dome(up: Values) -> Values:
    """Return the squared height of an outline that is flatter on top than an ellipse."""
    squared = up * up
    return squared * (np.float32(1.0 - DOME) + np.float32(DOME) * squared)


def lambert(sitter: Sitter, x: Values | np.float32, y: Values | np.float32, z: Values | np.float32) -> Values:
    """Return the light on a surface with normal (x, y, z): ambient share plus a wrapped cosine; about 1 facing it."""
    light = sitter.light
    cosine: Values = x * light.x + y * light.y
    cosine = cosine + z * light.z
    cosine += np.float32(0.15)
    cosine *= np.float32(1.0 / 1.15)
    clip(cosine, 0.0, 1.5)
    cosine *= np.float32(1.0) - light.ambient
    cosine += light.ambient
    return cosine
