import sharp from 'sharp'
import { Swift } from './swift.mjs'

const WIDTH = 200
const BYTES_MAX = 20 * 1024 * 1024
const PIXELS_MAX = 50_000_000

const { OS_AUTH_URL, OS_APPLICATION_CREDENTIAL_ID, OS_APPLICATION_CREDENTIAL_SECRET, OS_REGION_NAME } = process.env
const THUMBNAILS = process.env.THUMBNAILS ?? 'thumbnails'
const swift = new Swift({
  authUrl: OS_AUTH_URL,
  credentialId: OS_APPLICATION_CREDENTIAL_ID,
  credentialSecret: OS_APPLICATION_CREDENTIAL_SECRET,
  region: OS_REGION_NAME,
})

/** Called by a trigger of kind object. The same event twice does the same again, so it may come more than once. */
export default async function onObject(request) {
  const { event, container, object } = await request.json()
  // What this function writes must not call it: its own container is left alone, whatever the trigger listens to.
  if (container === THUMBNAILS) return { skipped: 'this is a thumbnail' }
  const name = `${container}/${object}`
  if (event === 'deleted') {
    await swift.delete(THUMBNAILS, name)
    return { deleted: name }
  }
  if (event !== 'written') return { skipped: `nothing to do when an object is ${event}` }

  const upload = await swift.get(container, object)
  if (upload === undefined) return { skipped: 'it is gone again' }
  if (Number(upload.headers.get('content-length')) > BYTES_MAX) return { skipped: `it has more than ${BYTES_MAX} bytes` }
  const image = sharp(await upload.arrayBuffer(), { limitInputPixels: PIXELS_MAX })
  const { data, info } = await image
    .rotate() // as the camera was held
    .resize({ width: WIDTH, withoutEnlargement: true })
    .jpeg({ quality: 80 })
    .toBuffer({ resolveWithObject: true })
  await swift.put(THUMBNAILS, name, data, { 'content-type': 'image/jpeg' })
  console.log(`${name}: ${info.width} x ${info.height} pixels, ${data.length} bytes`)
  return { written: name, width: info.width, height: info.height }
}
