"""Gaussians into images and their gradients back, one loop over the Gaussians; computed in float64.

Names as in ``torch_splat.project``, which says what is computed. A symmetric matrix is the tuple of its upper triangle by
rows, a full one that of its nine numbers.
"""

from __future__ import annotations

from typing import no_type_check

import numba
import numpy as np

BLOCK = 1024
"""Gaussians whose contributions to a pose's gradient are summed together."""
_COMPENSATION_MIN = 0.005**2
_RADIUS = 3.33


@no_type_check
@numba.njit(cache=True, nogil=True)
def _times_symmetric(m, s):
    """M S."""
    return (
        m[0] * s[0] + m[1] * s[1] + m[2] * s[2],
        m[0] * s[1] + m[1] * s[3] + m[2] * s[4],
        m[0] * s[2] + m[1] * s[4] + m[2] * s[5],
        m[3] * s[0] + m[4] * s[1] + m[5] * s[2],
        m[3] * s[1] + m[4] * s[3] + m[5] * s[4],
        m[3] * s[2] + m[4] * s[4] + m[5] * s[5],
        m[6] * s[0] + m[7] * s[1] + m[8] * s[2],
        m[6] * s[1] + m[7] * s[3] + m[8] * s[4],
        m[6] * s[2] + m[7] * s[4] + m[8] * s[5],
    )


@no_type_check
@numba.njit(cache=True, nogil=True)
def _turned(m, s):
    """M S M^T."""
    p = _times_symmetric(m, s)
    return (
        p[0] * m[0] + p[1] * m[1] + p[2] * m[2],
        p[0] * m[3] + p[1] * m[4] + p[2] * m[5],
        p[0] * m[6] + p[1] * m[7] + p[2] * m[8],
        p[3] * m[3] + p[4] * m[4] + p[5] * m[5],
        p[3] * m[6] + p[4] * m[7] + p[5] * m[8],
        p[6] * m[6] + p[7] * m[7] + p[8] * m[8],
    )


@no_type_check
@numba.njit(cache=True, nogil=True)
def _transposed(m):
    return m[0], m[3], m[6], m[1], m[4], m[7], m[2], m[5], m[8]


@no_type_check
@numba.njit(cache=True, nogil=True)
def _pose(viewmat):
    """Rotation and translation."""
    v = viewmat
    rotation = (
        np.float64(v[0, 0]),
        np.float64(v[0, 1]),
        np.float64(v[0, 2]),
        np.float64(v[1, 0]),
        np.float64(v[1, 1]),
        np.float64(v[1, 2]),
        np.float64(v[2, 0]),
        np.float64(v[2, 1]),
        np.float64(v[2, 2]),
    )
    return rotation, (np.float64(v[0, 3]), np.float64(v[1, 3]), np.float64(v[2, 3]))


@no_type_check
@numba.njit(cache=True, nogil=True)
def _local(r, t, mean):
    x, y, z = np.float64(mean[0]), np.float64(mean[1]), np.float64(mean[2])
    return (
        r[0] * x + r[1] * y + r[2] * z + t[0],
        r[3] * x + r[4] * y + r[5] * z + t[1],
        r[6] * x + r[7] * y + r[8] * z + t[2],
    )


@no_type_check
@numba.njit(cache=True, nogil=True)
def _slopes(local, fx, fy, cx, cy, width, height):
    """x / z and y / z, kept near the image."""
    x, y, z = local
    margin_x, margin_y = 0.15 * width / fx, 0.15 * height / fy
    px = min(max(x / z, -(cx / fx + margin_x)), (width - cx) / fx + margin_x)
    py = min(max(y / z, -(cy / fy + margin_y)), (height - cy) / fy + margin_y)
    return px, py


@no_type_check
@numba.njit(cache=True, nogil=True)
def _flattened(jx, kx, jy, ky, s):
    """J S J^T for J = [[jx, 0, kx], [0, jy, ky]]: xx, xy, yy."""
    return (
        jx * jx * s[0] + 2.0 * jx * kx * s[2] + kx * kx * s[5],
        jx * jy * s[1] + jx * ky * s[2] + kx * jy * s[4] + kx * ky * s[5],
        jy * jy * s[3] + 2.0 * jy * ky * s[4] + ky * ky * s[5],
    )


@no_type_check
@numba.njit(cache=True, nogil=True)
def _symmetric(row):
    return (
        np.float64(row[0]),
        np.float64(row[1]),
        np.float64(row[2]),
        np.float64(row[3]),
        np.float64(row[4]),
        np.float64(row[5]),
    )


@no_type_check
@numba.njit(parallel=True, cache=True, nogil=True)
def project_forward(
    means,
    covariances,
    viewmats,
    intrinsics,
    width,
    height,
    near,
    far,
    radius_clip,
    eps2d,
    means2d,
    depths,
    conics,
    compensations,
    radii,
):
    """Fill the last five arrays."""
    n = len(means)
    n_blocks = (n + BLOCK - 1) // BLOCK
    for unit in numba.prange(len(viewmats) * n_blocks):
        image, block = unit // n_blocks, unit % n_blocks
        rotation, shift = _pose(viewmats[image])
        k = intrinsics[image]
        fx, fy, cx, cy = np.float64(k[0, 0]), np.float64(k[1, 1]), np.float64(k[0, 2]), np.float64(k[1, 2])
        for row in range(block * BLOCK, min((block + 1) * BLOCK, n)):
            x, y, z = _local(rotation, shift, means[row])
            depths[image, row] = z
            radii[image, row, 0] = radii[image, row, 1] = 0
            means2d[image, row, 0] = means2d[image, row, 1] = 0.0
            conics[image, row, 0] = conics[image, row, 1] = conics[image, row, 2] = 0.0
            compensations[image, row] = 0.0
            if not near < z < far:
                continue
            px, py = _slopes((x, y, z), fx, fy, cx, cy, width, height)
            turned = _turned(rotation, _symmetric(covariances[row]))
            a0, b, c0 = _flattened(fx / z, -fx * px / z, fy / z, -fy * py / z, turned)
            a, c = a0 + eps2d, c0 + eps2d
            determinant = a * c - b * b
            if not (0.0 < determinant < np.inf):
                continue
            u, v = fx * x / z + cx, fy * y / z + cy
            means2d[image, row, 0], means2d[image, row, 1] = u, v
            conics[image, row, 0] = c / determinant
            conics[image, row, 1] = -b / determinant
            conics[image, row, 2] = a / determinant
            compensations[image, row] = np.sqrt(max((a0 * c0 - b * b) / determinant, _COMPENSATION_MIN))
            size_x, size_y = np.ceil(_RADIUS * np.sqrt(a)), np.ceil(_RADIUS * np.sqrt(c))
            inside = (u + size_x > 0) & (u - size_x < width) & (v + size_y > 0) & (v - size_y < height)
            if inside and (size_x > radius_clip or size_y > radius_clip):
                radii[image, row, 0] = np.int32(min(size_x, 2.0**30))
                radii[image, row, 1] = np.int32(min(size_y, 2.0**30))


@no_type_check
@numba.njit(cache=True, nogil=True)
def _covariance_gradient(a0, b, c0, eps2d, grad_conic, grad_compensation):
    """Of the covariance in the image as a symmetric matrix: xx, xy (each of the two), yy."""
    a, c = a0 + eps2d, c0 + eps2d
    determinant = a * c - b * b
    qa, qb, qc = c / determinant, -b / determinant, a / determinant
    ga, gb, gc = np.float64(grad_conic[0]), 0.5 * np.float64(grad_conic[1]), np.float64(grad_conic[2])
    # -Q G Q
    m00, m01 = qa * ga + qb * gb, qa * gb + qb * gc
    m10, m11 = qb * ga + qc * gb, qb * gb + qc * gc
    xx, xy, yy = -(m00 * qa + m01 * qb), -(m00 * qb + m01 * qc), -(m10 * qb + m11 * qc)
    ratio = (a0 * c0 - b * b) / determinant
    if grad_compensation != 0.0 and ratio > _COMPENSATION_MIN:
        half = 0.5 * grad_compensation / np.sqrt(ratio) / determinant
        xx += half * (c0 - ratio * c)
        yy += half * (a0 - ratio * a)
        xy += half * (ratio - 1.0) * b
    return xx, xy, yy


@no_type_check
@numba.njit(parallel=True, cache=True, nogil=True)
def project_backward(
    means,
    covariances,
    viewmats,
    intrinsics,
    width,
    height,
    eps2d,
    radii,
    grad_means2d,
    grad_depths,
    grad_conics,
    grad_compensations,
    grad_means,
    grad_covariances,
    grad_poses,
):
    """Add to the gradients of means and covariances, and fill those of the poses, block by block ([c, blocks, 3, 4])."""
    n = len(means)
    n_blocks = (n + BLOCK - 1) // BLOCK
    for block in numba.prange(n_blocks):
        for image in range(len(viewmats)):
            rotation, shift = _pose(viewmats[image])
            back = _transposed(rotation)
            k, pose = intrinsics[image], grad_poses[image, block]
            fx, fy, cx, cy = np.float64(k[0, 0]), np.float64(k[1, 1]), np.float64(k[0, 2]), np.float64(k[1, 2])
            for row in range(block * BLOCK, min((block + 1) * BLOCK, n)):
                if radii[image, row, 0] == 0:
                    continue
                x, y, z = _local(rotation, shift, means[row])
                px, py = _slopes((x, y, z), fx, fy, cx, cy, width, height)
                sigma = _symmetric(covariances[row])
                s = _turned(rotation, sigma)
                jx, kx, jy, ky = fx / z, -fx * px / z, fy / z, -fy * py / z
                a0, b, c0 = _flattened(jx, kx, jy, ky, s)
                xx, xy, yy = _covariance_gradient(
                    a0, b, c0, eps2d, grad_conics[image, row], np.float64(grad_compensations[image, row])
                )
                # dS = J^T dC J; dJ = 2 dC J S
                d_turned = (
                    jx * jx * xx,
                    jx * jy * xy,
                    jx * (kx * xx + ky * xy),
                    jy * jy * yy,
                    jy * (kx * xy + ky * yy),
                    kx * kx * xx + 2.0 * kx * ky * xy + ky * ky * yy,
                )
                js00, js02 = jx * s[0] + kx * s[2], jx * s[2] + kx * s[5]
                js01, js10 = jx * s[1] + kx * s[4], jy * s[1] + ky * s[2]
                js11, js12 = jy * s[3] + ky * s[4], jy * s[4] + ky * s[5]
                d_jx, d_kx = 2.0 * (xx * js00 + xy * js10), 2.0 * (xx * js02 + xy * js12)
                d_jy, d_ky = 2.0 * (xy * js01 + yy * js11), 2.0 * (xy * js02 + yy * js12)
                gu, gv = np.float64(grad_means2d[image, row, 0]), np.float64(grad_means2d[image, row, 1])
                dx, dy = gu * jx, gv * jy
                dz = np.float64(grad_depths[image, row]) - (jx * x * gu + jy * y * gv) / z
                dz -= (jx * d_jx + jy * d_jy + kx * d_kx + ky * d_ky) / z
                if px == x / z:  # kx = -fx x / z^2
                    dx -= jx / z * d_kx
                    dz += jx * px / z * d_kx
                if py == y / z:
                    dy -= jy / z * d_ky
                    dz += jy * py / z * d_ky
                grad_means[row, 0] += back[0] * dx + back[1] * dy + back[2] * dz
                grad_means[row, 1] += back[3] * dx + back[4] * dy + back[5] * dz
                grad_means[row, 2] += back[6] * dx + back[7] * dy + back[8] * dz
                d_sigma = _turned(back, d_turned)
                grad_covariances[row, 0] += d_sigma[0]
                grad_covariances[row, 1] += 2.0 * d_sigma[1]
                grad_covariances[row, 2] += 2.0 * d_sigma[2]
                grad_covariances[row, 3] += d_sigma[3]
                grad_covariances[row, 4] += 2.0 * d_sigma[4]
                grad_covariances[row, 5] += d_sigma[5]
                d_rotation = _times_symmetric(rotation, sigma)  # dR = 2 dS R Sigma
                e, q = d_turned, d_rotation
                for column in range(3):
                    mean = np.float64(means[row, column])
                    q0, q1, q2 = q[column], q[3 + column], q[6 + column]
                    pose[0, column] += dx * mean + 2.0 * (e[0] * q0 + e[1] * q1 + e[2] * q2)
                    pose[1, column] += dy * mean + 2.0 * (e[1] * q0 + e[3] * q1 + e[4] * q2)
                    pose[2, column] += dz * mean + 2.0 * (e[2] * q0 + e[4] * q1 + e[5] * q2)
                pose[0, 3] += dx
                pose[1, 3] += dy
                pose[2, 3] += dz


@no_type_check
@numba.njit(cache=True, nogil=True)
def _axes(quat):
    """Rotation of a quaternion w x y z, its length, and the unit quaternion."""
    w, x, y, z = np.float64(quat[0]), np.float64(quat[1]), np.float64(quat[2]), np.float64(quat[3])
    length = max(np.sqrt(w * w + x * x + y * y + z * z), 1e-12)
    w, x, y, z = w / length, x / length, y / length, z / length
    rotation = (
        1 - 2 * (y * y + z * z),
        2 * (x * y - w * z),
        2 * (x * z + w * y),
        2 * (x * y + w * z),
        1 - 2 * (x * x + z * z),
        2 * (y * z - w * x),
        2 * (x * z - w * y),
        2 * (y * z + w * x),
        1 - 2 * (x * x + y * y),
    )
    return rotation, length, (w, x, y, z)


@no_type_check
@numba.njit(parallel=True, cache=True, nogil=True)
def covariances_forward(quats, scales, covariances):
    """Fill xx xy xz yy yz zz."""
    for row in numba.prange(len(quats)):
        rotation, _, _ = _axes(quats[row])
        sx, sy, sz = np.float64(scales[row, 0]), np.float64(scales[row, 1]), np.float64(scales[row, 2])
        turned = _turned(rotation, (sx * sx, 0.0, 0.0, sy * sy, 0.0, sz * sz))
        for k in range(6):
            covariances[row, k] = turned[k]


@no_type_check
@numba.njit(parallel=True, cache=True, nogil=True)
def covariances_backward(quats, scales, grad, grad_quats, grad_scales):
    """Fill the gradients."""
    for row in numba.prange(len(quats)):
        r, length, (w, x, y, z) = _axes(quats[row])
        sx, sy, sz = np.float64(scales[row, 0]), np.float64(scales[row, 1]), np.float64(scales[row, 2])
        g = grad[row]
        half = (
            np.float64(g[0]),
            0.5 * np.float64(g[1]),
            0.5 * np.float64(g[2]),
            np.float64(g[3]),
            0.5 * np.float64(g[4]),
            np.float64(g[5]),
        )
        # dM = 2 dSigma M with M = R diag(s): its columns are s_k times those of 2 dSigma R
        p = _transposed(_times_symmetric(_transposed(r), half))
        grad_scales[row, 0] = 2.0 * sx * (r[0] * p[0] + r[3] * p[3] + r[6] * p[6])
        grad_scales[row, 1] = 2.0 * sy * (r[1] * p[1] + r[4] * p[4] + r[7] * p[7])
        grad_scales[row, 2] = 2.0 * sz * (r[2] * p[2] + r[5] * p[5] + r[8] * p[8])
        fx, fy, fz = 2.0 * sx * sx, 2.0 * sy * sy, 2.0 * sz * sz
        d = (fx * p[0], fy * p[1], fz * p[2], fx * p[3], fy * p[4], fz * p[5], fx * p[6], fy * p[7], fz * p[8])
        gw = 2.0 * (x * (d[7] - d[5]) + y * (d[2] - d[6]) + z * (d[3] - d[1]))
        gx = 2.0 * (y * (d[1] + d[3]) + z * (d[2] + d[6]) + w * (d[7] - d[5]) - 2.0 * x * (d[4] + d[8]))
        gy = 2.0 * (x * (d[1] + d[3]) + z * (d[5] + d[7]) + w * (d[2] - d[6]) - 2.0 * y * (d[0] + d[8]))
        gz = 2.0 * (x * (d[2] + d[6]) + y * (d[5] + d[7]) + w * (d[3] - d[1]) - 2.0 * z * (d[0] + d[4]))
        radial = gw * w + gx * x + gy * y + gz * z
        grad_quats[row, 0] = (gw - radial * w) / length
        grad_quats[row, 1] = (gx - radial * x) / length
        grad_quats[row, 2] = (gy - radial * y) / length
        grad_quats[row, 3] = (gz - radial * z) / length
