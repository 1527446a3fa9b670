import { Global, Module } from '@nestjs/common';
import type { DynamicModule } from '@nestjs/common';
import { Settings } from './settings.js';

@Global()
@Module({})
export class SettingsModule {
  static with(settings: Settings): DynamicModule {
    const provider = { provide: Settings, useValue: settings };
    return { module: SettingsModule, providers: [provider], exports: [provider] };
  }
}
