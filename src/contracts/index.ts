export * from './contract.ts'
export { createFramesContract, framesContract } from './frames/contract.ts'
export { HeaderBlock } from './header-block.ts'
export { contractNames, findContract } from './list.ts'
