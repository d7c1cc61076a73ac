import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

export type GpuWish = 'auto' | 'cuda' | 'vulkan' | 'metal' | 'off';

/** A compiled llama.cpp, as node-llama-cpp's optional packages hold them. */
export interface Build {
  /** Names of packages below `@node-llama-cpp/`: the build, and for CUDA what older graphics cards need beside it. */
  packages: string[];
  gpu: 'cuda' | 'vulkan' | 'metal' | false;
}

export interface Machine {
  platform: string;
  arch: string;
  /** Whether the driver and the runtime libraries of CUDA are there. */
  cuda: boolean;
  /** Whether there is a loader of Vulkan and a device to render with. */
  vulkan: boolean;
}

const cpuPackages: Readonly<Record<string, string>> = {
  'linux-x64': 'linux-x64',
  'linux-arm64': 'linux-arm64',
  'linux-arm': 'linux-armv7l',
  'linux-riscv64': 'linux-riscv64',
  'darwin-x64': 'mac-x64',
  'win32-x64': 'win-x64',
  'win32-arm64': 'win-arm64',
};

/** The builds that fit a machine, the best first; the last works without a graphics card. Empty where there is none at all. */
export function buildsFor(machine: Machine, wish: GpuWish = 'auto'): Build[] {
  const platform = `${machine.platform}-${machine.arch}`;
  if (platform === 'darwin-arm64') return [{ packages: ['mac-arm64-metal'], gpu: wish === 'off' ? false : 'metal' }];
  const plain = cpuPackages[platform];
  if (plain === undefined) return [];
  const hasVariants = plain === 'linux-x64' || plain === 'win-x64';
  const wants = (kind: 'cuda' | 'vulkan'): boolean =>
    hasVariants && (wish === kind || (wish === 'auto' && machine[kind]));
  return [
    ...(wants('cuda') ? [{ packages: [`${plain}-cuda`, `${plain}-cuda-ext`], gpu: 'cuda' as const }] : []),
    ...(wants('vulkan') ? [{ packages: [`${plain}-vulkan`], gpu: 'vulkan' as const }] : []),
    { packages: [plain], gpu: false as const },
  ];
}

/** The build that consists of these packages, for whatever machine. */
export function buildOf(packages: readonly string[]): Build | undefined {
  return [...Object.keys(cpuPackages), 'darwin-arm64']
    .flatMap(allBuilds)
    .find((build) => build.packages.join() === packages.join());
}

/** Whether a build is one for this kind of system and processor. */
export function isOfThisPlatform({ packages }: Build): boolean {
  return allBuilds(`${process.platform}-${process.arch}`).some((build) => build.packages[0] === packages[0]);
}

function allBuilds(kind: string): Build[] {
  const [platform, arch] = kind.split('-') as [string, string];
  return buildsFor({ platform, arch, cuda: true, vulkan: true });
}

/** What this machine has, by the libraries and devices that node-llama-cpp itself looks for. */
export function detectMachine(): Machine {
  const { platform, arch } = process;
  if (platform === 'win32') {
    const system = join(process.env['SystemRoot'] ?? 'C:\\Windows', 'System32');
    const cuda = existsSync(join(system, 'nvml.dll')) && process.env['CUDA_PATH'] !== undefined;
    return { platform, arch, cuda, vulkan: existsSync(join(system, 'vulkan-1.dll')) };
  }
  if (platform !== 'linux') return { platform, arch, cuda: false, vulkan: false };
  const cuda = ['libnvidia-ml.so', 'libcuda.so', 'libcudart.so', 'libcublas.so'].every(hasLibrary);
  return { platform, arch, cuda, vulkan: hasLibrary('libvulkan.so') && hasRenderDevice() };
}

function hasLibrary(name: string): boolean {
  return libraryFolders().some((folder) => filesIn(folder).some((file) => file.startsWith(name)));
}

function libraryFolders(): string[] {
  const toolkits = filesIn('/usr/local')
    .filter((name) => name.startsWith('cuda'))
    .flatMap((name) => [`/usr/local/${name}/lib64`, `/usr/local/${name}/targets/x86_64-linux/lib`]);
  const named = (process.env['LD_LIBRARY_PATH'] ?? '').split(':').filter((folder) => folder !== '');
  return [...named, '/usr/lib', '/usr/lib64', '/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu', ...toolkits];
}

function hasRenderDevice(): boolean {
  return filesIn('/dev/dri').some((name) => name.startsWith('renderD'));
}

function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
