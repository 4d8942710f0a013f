export default async request => {
  const order = await request.json()
  return { items: order.items.length }
}
