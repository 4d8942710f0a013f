import sharp from 'sharp'

const WIDTH = 200
const WIDTH_MAX = 2000
const BYTES_MAX = 10 * 1024 * 1024
const PIXELS_MAX = 50_000_000

/** POST an image, get a JPEG that is `?w=` pixels wide (200 when not given). */
export default async function thumbnail(request) {
  if (request.method !== 'POST') return refuse(405, 'POST an image.', { allow: 'POST' })
  const asked = new URL(request.url).searchParams.get('w')
  const width = asked === null ? WIDTH : Number(asked)
  if (!Number.isInteger(width) || width < 1 || width > WIDTH_MAX)
    return refuse(400, `w is the width in pixels, 1 to ${WIDTH_MAX}.`)

  const image = Buffer.from(await request.arrayBuffer())
  if (image.length > BYTES_MAX) return refuse(413, `The image is larger than ${BYTES_MAX} bytes.`)
  try {
    const { data, info } = await sharp(image, { limitInputPixels: PIXELS_MAX })
      .rotate() // as the camera was held
      .resize({ width })
      .jpeg({ quality: 80 })
      .toBuffer({ resolveWithObject: true })
    console.log(`${image.length} bytes became ${info.width} x ${info.height} pixels, ${data.length} bytes`)
    return new Response(data, { headers: { 'content-type': 'image/jpeg' } })
  } catch (error) {
    console.error(error)
    return refuse(415, 'That is not an image that can be read.')
  }
}

function refuse(status, detail, headers = {}) {
  return Response.json({ detail }, { status, headers })
}
