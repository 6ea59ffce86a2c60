/** What a picture of Gaussians is, as `models/splat/base.py` defines it, on a GPU: one quad a Gaussian, farthest first. */

/** Texels a row of the data textures. */
export const ROW = 1024;
/** Avatars that one picture can have: each takes four of the 256 vectors that every machine has for uniforms. */
export const MOST_AVATARS = 32;

/**
 * What differs from Gaussian to Gaussian comes from textures, so that their order is one number each. Four vertices are a
 * Gaussian's quad, all in one drawing: instances of four vertices leave most of a GPU's lanes empty, and a processor that takes
 * the GPU's place begins anew for each.
 */
export const VERTEX = `#version 300 es
precision highp float;
precision highp int;
precision highp sampler2D;
precision highp usampler2D;
uniform usampler2D order;  // numbers of Gaussians, farthest first
uniform sampler2D frames;  // 2 texels a triangle: origin, scale; quaternion xyzw
uniform sampler2D placed;  // mean in units of the triangle, number of the triangle
uniform sampler2D turned;  // quaternion xyzw
uniform sampler2D sized;   // scales in units of the triangle, opacity
uniform sampler2D tinted;  // sRGB, number of the avatar
uniform mat4x3 views[${MOST_AVATARS}]; // of each avatar: its space to the camera
uniform vec4 lens;         // fx, fy, cx, cy, pixels
uniform vec2 size;         // pixels
out vec2 deviation;        // from the centre, in standard deviations
flat out vec4 tint;

const float NEAR = 0.01;
const float DILATION = 0.3;
const float MARGIN = 0.3;

ivec2 texel(int i) {
  return ivec2(i % ${ROW}, i / ${ROW});
}

mat3 rotation(vec4 q) {
  vec3 d = 2.0 * q.xyz;
  float xx = d.x * q.x, yy = d.y * q.y, zz = d.z * q.z;
  float xy = d.x * q.y, xz = d.x * q.z, yz = d.y * q.z;
  vec3 w = d * q.w;
  return mat3(1.0 - yy - zz, xy + w.z, xz - w.y, xy - w.z, 1.0 - xx - zz, yz + w.x, xz + w.y, yz - w.x, 1.0 - xx - yy);
}

void main() {
  gl_Position = vec4(0.0, 0.0, 2.0, 1.0); // outside of the picture, unless all goes well
  deviation = vec2(0.0);
  tint = vec4(0.0);
  int n = int(texelFetch(order, texel(gl_VertexID >> 2), 0).r);
  vec4 place = texelFetch(placed, texel(n), 0);
  vec4 extent = texelFetch(sized, texel(n), 0);
  vec4 color = texelFetch(tinted, texel(n), 0);
  mat4x3 view = views[int(255.0 * color.a + 0.5)];
  int triangle = 2 * int(place.w);
  vec4 origin = texelFetch(frames, texel(triangle), 0);
  mat3 frame = mat3(view) * rotation(texelFetch(frames, texel(triangle + 1), 0));
  vec3 p = view * vec4(origin.xyz, 1.0) + frame * (place.xyz * origin.w);
  if (!(p.z > NEAR) || extent.w < 1.0 / 255.0) return;

  mat3 axes = frame * rotation(texelFetch(turned, texel(n), 0));
  axes = mat3(axes[0] * extent.x, axes[1] * extent.y, axes[2] * extent.z) * origin.w;
  vec2 slope = p.xy / p.z;
  vec2 edge = MARGIN * 0.5 * size / lens.xy;
  vec2 clamped = min((size - lens.zw) / lens.xy + edge, max(-lens.zw / lens.xy - edge, slope));
  vec3 across = (lens.x / p.z) * vec3(axes[0].x - clamped.x * axes[0].z, axes[1].x - clamped.x * axes[1].z, axes[2].x - clamped.x * axes[2].z);
  vec3 down = (lens.y / p.z) * vec3(axes[0].y - clamped.y * axes[0].z, axes[1].y - clamped.y * axes[1].z, axes[2].y - clamped.y * axes[2].z);
  float a = dot(across, across) + DILATION;
  float b = dot(across, down);
  float c = dot(down, down) + DILATION;
  float determinant = a * c - b * b;
  if (!(determinant > 0.0)) return;

  float middle = 0.5 * (a + c);
  float longer = middle + length(vec2(0.5 * (a - c), b));
  float shorter = determinant / longer;
  vec2 axis = abs(b) > 1e-6 * middle ? normalize(vec2(b, longer - a)) : (a >= c ? vec2(1.0, 0.0) : vec2(0.0, 1.0));
  float reach = sqrt(2.0 * log(255.0 * extent.w));
  vec2 corner = vec2(float(gl_VertexID & 1), float((gl_VertexID >> 1) & 1)) * 2.0 - 1.0;
  deviation = corner * reach;
  vec2 pixel = slope * lens.xy + lens.zw + deviation.x * sqrt(longer) * axis + deviation.y * sqrt(shorter) * vec2(-axis.y, axis.x);
  tint = vec4(color.rgb, extent.w);
  gl_Position = vec4(2.0 * pixel.x / size.x - 1.0, 1.0 - 2.0 * pixel.y / size.y, 0.0, 1.0);
}
`;

export const FRAGMENT = `#version 300 es
precision highp float;
in vec2 deviation;
flat in vec4 tint;
out vec4 color;

void main() {
  float alpha = tint.a * exp(-0.5 * dot(deviation, deviation));
  if (alpha < 1.0 / 255.0) discard;
  alpha = min(alpha, 0.999);
  color = vec4(tint.rgb * alpha, alpha); // premultiplied
}
`;
