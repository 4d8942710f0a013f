export * from './contract.ts'
export { createFramesContract, framesContract } from './frames/contract.ts'
